/**
 * A package that is loaded when it is first needed, as this one would take much longer
 * to load with it.
 *
 * A process may be short of file descriptors by then. An `import()` that fails for it
 * fails for as long as the process lives, as does all that looks for a package whose
 * `package.json` could not be read. So the package is looked for at once, which Node
 * keeps, and after a failed import it is required, which can be done again.
 *
 * An import that finds nothing in a package is no success either: after a synchronous
 * look at a pipe, `fstatSync(0)`, Node follows no links to what it imports, and gives
 * the empty exports of a file that it loads under its other name (pnpm's are links).
 */
import { findOwn, ownRequire } from './own-require.js'

export class LatePackage<T> {
  readonly #name: string
  readonly #import: () => Promise<T>
  readonly #require: (name: string) => unknown
  #loaded: T | undefined
  #loading: Promise<T> | undefined

  /**
   * `load` spells the name out, so that bundlers take the package into their file;
   * it resolves to what `require` gives.
   */
  constructor(name: string, load: () => Promise<T>, require = ownRequire) {
    this.#name = name
    this.#import = load
    this.#require = require
    findOwn(name)
  }

  /** Undefined until it is loaded. */
  get loaded(): T | undefined {
    return this.#loaded
  }

  /** Rejects with what the system said; the next call tries again. */
  load(): Promise<T> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  async #load(): Promise<T> {
    const imported = await this.#import().catch(() => undefined)
    const loaded =
      imported === undefined || isEmpty(imported)
        ? // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          (this.#require(this.#name) as T)
        : imported
    this.#loaded = loaded
    return loaded
  }
}

function isEmpty(loaded: unknown): boolean {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    Object.keys(loaded).length === 0
  )
}
