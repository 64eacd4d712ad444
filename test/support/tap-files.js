/**
 * Runs compiled files of tests, each in its own process, and prints TAP:
 * `node tap-files.js '{"jobs":2,"seconds":400,"files":["test/cli/put.test.ts"]}'`.
 *
 * It is what `tap run` does but for the module loaders, which take longer than most
 * tests: one for TypeScript, and one that follows which files were loaded.
 */
import t from 'tap'
import { compiledSources, compiledTest } from './compiled.js'

const { jobs, seconds, files } = JSON.parse(process.argv[2])

/** To read the maps of all that is loaded takes a tenth of a small test's time. */
const mostMapped = 20

const flags = [
  ...(files.length <= mostMapped ? ['--enable-source-maps'] : []),
  // tap may use module.register(), which Node 26 complains of.
  '--disable-warning=DEP0205',
]

t.setTimeout(0)
t.jobs = jobs
for (const file of files) {
  void t.spawn(
    process.execPath,
    [...flags, compiledTest(file)],
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
      },
    },
    file,
  )
}
