/** Loaded before a program: a line of JSON at its end, of the files that were required. */
import { createRequire } from 'node:module'

const { cache } = createRequire(import.meta.url)
process.on('exit', () => console.log(JSON.stringify(Object.keys(cache))))
