/**
 * Makes `docs/kill-and-resume.svg` from a real run: a shell in a pseudo-terminal
 * uploads a file to the dev server, the upload is killed half way, looked at,
 * and run again. What the shell's terminal shows is the picture.
 *
 * Needs util-linux's `script`.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startDevServer } from '../../dist/dev-server/index.js'
import { Screen } from './screen.js'

const MiB = 1024 * 1024
const columns = 92
const prompt = '$ '
const command = fileURLToPath(
  new URL('../../dist/cli/main.js', import.meta.url),
)
const picture = fileURLToPath(
  new URL('../../docs/kill-and-resume.svg', import.meta.url),
)

const directory = await mkdtemp(join(tmpdir(), 'pawl-record-'))
const server = await startDevServer({
  directory: join(directory, 'objects'),
  port: 9000,
})
try {
  await writeFile(join(directory, 'db.dump'), randomBytes(286 * MiB))
  const text = await session(directory)
  await writeFile(picture, svgOf(linesOf(text)))
  console.log(`${picture} is new`)
} finally {
  await server.close()
  await rm(directory, { recursive: true, force: true })
}

/** All that the terminal was sent. */
async function session(cwd) {
  const pidFile = join(cwd, 'pid')
  const shell = spawn(
    'script',
    [
      '-qefc',
      `stty columns ${columns} rows 40; exec bash --norc --noediting -i`,
      '/dev/null',
    ],
    {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, TERM: 'xterm', PS1: prompt },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  let said = ''
  let look = () => undefined
  shell.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    look()
  })
  const until = (isSo) =>
    new Promise((resolve, reject) => {
      shell.once('close', () => reject(new Error(`it ended: ${said}`)))
      look = () => isSo() && resolve()
      look()
    })
  // Its end is the prompt of the next line.
  const type = async (line, meanwhile) => {
    const start = said.length
    shell.stdin.write(`${line}\n`)
    await meanwhile?.(() => said.slice(start))
    await until(() => said.slice(start).includes(`\n${prompt}`))
  }
  await until(() => said.includes(prompt))
  await type(
    `pawl() { bash -c 'echo $$ > pid; exec "$@"' - '${process.execPath}' '${command}' "$@"; }`,
  )
  const from = said.length
  const put = `pawl put db.dump ${server.endpoint}/examplebucket/c/db.dump`
  await type(`${put} --traffic-limit 100000000`, async (now) => {
    await until(() => /\] 4\d% .* left/.test(now()))
    process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL')
  })
  await type('pawl status *.pawl')
  await type(put)
  const text = said.slice(from)
  shell.stdin.end('exit\n')
  await once(shell, 'close')
  return text
}

function linesOf(text) {
  const screen = new Screen(columns)
  screen.write(prompt + text)
  const { lines } = screen
  return lines.filter((line) => line !== '')
}

function svgOf(lines) {
  const [width, height] = [815, 36 + 19 * lines.length + 20]
  const rows = lines.map((line, index) => {
    const fill = line.startsWith(prompt.trim()) ? '#8be9a8' : '#e6e6e6'
    const shown = line
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replace(/Killed$/, '<tspan dx="12" fill="#ff7b72">Killed</tspan>')
    return `<text x="20" y="${48 + 19 * index}" fill="${fill}" style="white-space: pre">${shown}</text>`
  })
  const dots = [20, 38, 56]
    .map((x) => `<circle cx="${x}" cy="18" r="5"/>`)
    .join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal: pawl put is killed half way and run again">
<rect width="${width}" height="${height}" rx="8" fill="#16181d"/>
<g fill="#3a3f4b">${dots}</g>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">
${rows.join('\n')}
</g></svg>
`
}
