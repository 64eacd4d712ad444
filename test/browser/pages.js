/**
 * The documents as a code host shows them: every page rendered in Chromium, light and
 * dark, in slices of a screen each, for somebody to look at. What can be seen without
 * eyes is looked for: pictures that do not load, links to headings that are not there,
 * tables and code wider than the page, columns of one word a line. Ends with 1 when
 * something is.
 *
 * `npm run pages -- DIRECTORY [PAGE...]` keeps the pictures; without a directory
 * nothing is kept.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import MarkdownIt from 'markdown-it'
import { chromium } from 'playwright-core'
import { anchorsOf } from '../support/links.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const [directory, ...asked] = process.argv.slice(2)
const styles = readFileSync(
  createRequire(import.meta.url).resolve('github-markdown-css'),
  'utf8',
)
/** Of a picture, in pixels. */
const slice = 1400
/** What GitHub leaves to the README beside its column of facts, and to other pages. */
const widthOf = (page) => (page === 'README.md' ? 830 : 980)

const pages =
  asked.length > 0
    ? asked
    : execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' })
        .trim()
        .split('\n')
        // Made of doc comments; the one page of contents stands for them.
        .filter((page) => !page.startsWith('docs/api/pawl'))

if (directory !== undefined) mkdirSync(directory, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // In containers, where its own sandbox cannot be set up.
  args: ['--no-sandbox'],
})
let faults = 0
let hasFonts = false
try {
  const tab = await browser.newPage()
  hasFonts = await tab.evaluate(isLiberationHere)
  await tab.close()
  for (const page of pages) {
    for (const scheme of ['light', 'dark']) await look(page, scheme)
  }
} finally {
  await browser.close()
}
console.log(`${pages.length} pages, light and dark: ${faults} faults`)
if (faults > 0) {
  process.exitCode = 1
  // Others may be a third wider, and then it is not the page that is at fault.
  if (!hasFonts) {
    console.log('Liberation Sans is not here: Debian has fonts-liberation.')
  }
}

async function look(page, scheme) {
  const width = widthOf(page)
  const tab = await browser.newPage({
    colorScheme: scheme,
    viewport: { width: width + 80, height: slice },
  })
  // Of the folder that it is in, so that pictures beside it are found.
  const address = pathToFileURL(join(root, page)).href
  await tab.route(address, (route) =>
    route.fulfill({ contentType: 'text/html', body: htmlOf(page, width) }),
  )
  await tab.goto(address)
  for (const fault of await tab.evaluate(faultsOfPage)) {
    faults += 1
    console.log(`${page}, ${scheme}: ${fault}`)
  }
  if (directory !== undefined) await keep(tab, page, scheme)
  await tab.close()
}

async function keep(tab, page, scheme) {
  const height = await tab.evaluate('document.documentElement.scrollHeight')
  const folder = dirname(page) === '.' ? '' : `${basename(dirname(page))}-`
  const name = `${folder}${basename(page, '.md')}-${scheme}`
  const { width } = tab.viewportSize()
  for (let at = 0, number = 1; at < height; at += slice, number += 1) {
    const path = resolve(directory, `${name}-${number}.png`)
    const clip = { x: 0, y: at, width, height: Math.min(slice, height - at) }
    await tab.screenshot({ path, clip, fullPage: true })
  }
}

function htmlOf(page, width) {
  const text = readFileSync(join(root, page), 'utf8')
  const anchors = [...anchorsOf(withoutCode(text))]
  let heading = 0
  const markdown = new MarkdownIt({ html: true, linkify: true })
  markdown.renderer.rules.heading_open = (tokens, at) =>
    `<${tokens[at].tag} id="${anchors[heading++] ?? ''}">`
  return `<!doctype html><meta charset="utf-8"><title>${page}</title>
<style>${styles}
body { margin: 0; background: light-dark(#fff, #0d1117); color-scheme: light dark }
.markdown-body { box-sizing: content-box; width: ${width}px; padding: 40px }
</style>
<article class="markdown-body">${markdown.render(text)}</article>`
}

/** A line of a comment in it is no heading. */
function withoutCode(text) {
  return text.replaceAll(/^```.*?^```$/gms, '')
}

/** Runs in the page: what is not installed is drawn in the font that is named next. */
function isLiberationHere() {
  const pen = document.createElement('canvas').getContext('2d')
  const widthIn = (font) => {
    pen.font = `100px ${font}`
    return pen.measureText('mmmmiiii').width
  }
  const named = ['monospace', 'serif'].map((next) =>
    widthIn(`"Liberation Sans", ${next}`),
  )
  return named[0] === named[1]
}

/** Runs in the page. */
function faultsOfPage() {
  const found = []
  const start = (element) => element.textContent.trim().slice(0, 50)
  for (const picture of document.images) {
    if (picture.naturalWidth === 0) found.push(`no picture: ${picture.src}`)
  }
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    const id = link.getAttribute('href').slice(1)
    if (document.getElementById(id) === null) {
      found.push(`no heading: ${link.getAttribute('href')}`)
    }
  }
  for (const wide of document.querySelectorAll('table, pre')) {
    // Lines that mean something, of a log, cannot be broken.
    if (wide.querySelector('.language-log') !== null) continue
    const more = wide.scrollWidth - wide.clientWidth
    if (more > 0) {
      const what = wide.localName === 'pre' ? 'code' : 'a table'
      found.push(`${what} is ${more} px too wide: ${start(wide)}`)
    }
  }
  for (const cell of document.querySelectorAll('td')) {
    const words = cell.textContent.trim().split(/\s+/).length
    const range = document.createRange()
    range.selectNodeContents(cell)
    const tops = [...range.getClientRects()].map(({ bottom }) => bottom)
    const lines = tops
      .toSorted((a, b) => a - b)
      .filter((at, index, all) => index === 0 || at - all[index - 1] > 6).length
    if (lines > 3 && words / lines < 1.5) {
      found.push(`${words} words on ${lines} lines: ${start(cell)}`)
    }
  }
  return found
}
