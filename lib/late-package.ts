/**
 * A package that is loaded when it is first needed, as this one would take much longer
 * to load with it.
 *
 * A process may be short of file descriptors by then. An `import()` that fails for it
 * fails for as long as the process lives, as does all that looks for a package whose
 * `package.json` could not be read. So the package is looked for at once, which Node
 * keeps, and after a failed import it is required, which can be done again.
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
    const loaded = await this.#import().catch(
      () =>
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        this.#require(this.#name) as T,
    )
    this.#loaded = loaded
    return loaded
  }
}
