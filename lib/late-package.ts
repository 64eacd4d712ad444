/**
 * A package that is loaded when it is first needed, as this one would take much longer
 * to load with it.
 *
 * It is required: `import()` takes the modules of a package one by one, which is seven
 * times the work where there are forty. A bundle has the packages in itself, for which it
 * knows `import()` alone.
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
import { findOwn, ownRequire, requireOrImport } from './own-require.js'

export class LatePackage<T> {
  readonly #name: string
  readonly #import: () => Promise<T>
  readonly #require: (name: string) => unknown
  readonly #isAround: boolean
  #loaded: T | undefined
  #loading: Promise<T> | undefined

  /**
   * `load` spells the name out, so that bundlers take the package into their file;
   * it resolves to what `require` gives.
   */
  constructor(
    name: string,
    load: () => Promise<T>,
    { find, require } = { find: findOwn, require: ownRequire },
  ) {
    this.#name = name
    this.#import = load
    this.#require = require
    this.#isAround = find(name) !== undefined
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
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const loaded = (await (this.#isAround
      ? requireOrImport(this.#name, this.#import, this.#require)
      : this.#imported())) as T
    this.#loaded = loaded
    return loaded
  }

  async #imported(): Promise<unknown> {
    const imported = await this.#import().catch(() => undefined)
    return imported === undefined || isEmpty(imported)
      ? this.#require(this.#name)
      : imported
  }
}

function isEmpty(loaded: unknown): boolean {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    Object.keys(loaded).length === 0
  )
}
