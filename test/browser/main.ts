/**
 * The page of `docs/examples/express-upload.ts` in a browser: a file is chosen, the
 * bar moves, the object is there; another is cancelled half way, and nothing is left.
 * Needs Chromium: at `CHROMIUM`, or where Debian has it. Ends with 1 otherwise.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { register } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'

register('../support/pawl-name.js', import.meta.url)
const { uploadApp } = await import('../../docs/examples/express-upload.js')

const bytes = randomBytes(20 * 1024 * 1024)
const directory = await mkdtemp(join(tmpdir(), 'pawl-browser-'))
const file = join(directory, 'db.dump')
await writeFile(file, bytes)

const server = await startDevServer()
const store = server.store('examplebucket')
const app = createServer(uploadApp(store))
app.listen(0, '127.0.0.1')
await once(app, 'listening')
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // In containers, where its own sandbox cannot be set up.
  args: ['--no-sandbox'],
})
try {
  const { port } = app.address() as AddressInfo
  const page = await browser.newPage()
  page.on('pageerror', (error) => {
    throw error
  })
  await page.goto(`http://127.0.0.1:${port}/`)
  await uploads(page, server)
  await cancels(page, server)
} finally {
  await browser.close()
  app.closeAllConnections()
  app.close()
  await store.close()
  await server.close()
  await rm(directory, { recursive: true, force: true })
}

async function uploads(page: Page, server: DevServer) {
  // Held until the bar has been seen half way: the second part waits.
  server.setFault(({ partNumber }) =>
    partNumber === 2
      ? { kind: 'trickle', bytesPerSecond: 1_000_000 }
      : undefined,
  )
  await page.setInputFiles('#file', file)
  await page.waitForFunction('bar.value > 0.2 && bar.value < 1')
  console.log('the bar moves')
  server.setFault(undefined)
  await page.waitForFunction("said.textContent === 'Done'")
  const key =
    server.requests.findLast(({ key }) => key !== undefined)?.key ?? ''
  const path = server.objectPath('examplebucket', key)
  assert.ok(path !== undefined, 'an object')
  assert.ok(bytes.equals(await readFile(path)), 'of the bytes of the file')
  assert.equal(await page.evaluate('bar.value'), 1)
  console.log(`done: ${bytes.length} bytes in the browser, in the bucket`)
}

async function cancels(page: Page, server: DevServer) {
  server.setFault(({ partNumber }) =>
    partNumber === 2 ? { kind: 'silence' } : undefined,
  )
  await page.reload()
  await page.setInputFiles('#file', file)
  await page.waitForFunction('bar.value > 0.2')
  console.log('half way')
  assert.equal(server.openUploads().length, 1)
  await page.click('#cancel')
  await page.waitForFunction("said.textContent === 'Cancelled'")
  while (server.openUploads().length > 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  assert.equal(await page.isDisabled('#cancel'), true)
  console.log('cancelled: nothing is left in the bucket')
}
