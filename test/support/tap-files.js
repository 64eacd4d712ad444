/**
 * Runs compiled files of tests, each in its own process, and prints TAP:
 * `node tap-files.js '{"jobs":2,"seconds":400,"tier":"fast","files":[…]}'`.
 *
 * It is what `tap run` does but for the module loaders, which take longer than most
 * tests: one for TypeScript, and one that follows which files were loaded. Of many
 * tests each is made one file before (`bundled.js`).
 */
import t from 'tap'
import { bundledTests } from './bundled.js'
import { compiledSources, compiledTest } from './compiled.js'

const { jobs, seconds, files, tier } = JSON.parse(process.argv[2])

// From here on: what is made before the first test may take long as well.
t.setTimeout(0)

/** To read the maps of all that is loaded takes a tenth of a small test's time. */
const mostMapped = 20
const areMany = files.length > mostMapped

/** In the other tiers what a test does takes longer than what it loads. */
const { programs, pathOf } =
  areMany && tier === 'fast'
    ? await bundledTests(files)
    : { programs: compiledSources(), pathOf: compiledTest }

const flags = [
  ...(areMany ? [] : ['--enable-source-maps']),
  // tap may use module.register(), which Node 26 complains of.
  '--disable-warning=DEP0205',
]

t.jobs = jobs
for (const file of files) {
  void t.spawn(
    process.execPath,
    [...flags, pathOf(file)],
    {
      // Its place in this file says nothing.
      at: null,
      stack: '',
      buffered: jobs > 1,
      timeout: seconds * 1000,
      stdio: 'pipe',
      env: {
        ...process.env,
        TAP_TIMEOUT: String(seconds),
        PAWL_COMPILED: compiledSources(),
        PAWL_PROGRAMS: programs,
      },
    },
    file,
  )
}
