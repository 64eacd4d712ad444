/** What users import by the package's name, as its package.json says. */
import { readFileSync } from 'node:fs'

const manifest = new URL('../../package.json', import.meta.url)

/**
 * Of each name, `pawl/redis` for one, the path of its module without an ending,
 * below `lib` and below `dist` alike: `lease/redis`.
 *
 * @type {ReadonlyMap<string, string>}
 */
export const entries = new Map(
  Object.entries(JSON.parse(readFileSync(manifest, 'utf8')).exports).flatMap(
    ([name, to]) => {
      const path = /^\.\/dist\/(.*)\.js$/.exec(to.default ?? '')?.[1]
      return path === undefined ? [] : [[`pawl${name.slice(1)}`, path]]
    },
  ),
)
