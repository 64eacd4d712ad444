import { apiError } from './api-error.js'
import { percentDecodeText, percentEncode } from './percent.js'

/** The parameters of a request target, decoded, in the order of the wire. */
export class Query {
  readonly pairs: readonly (readonly [string, string])[]

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs
  }

  static parse(raw: string): Query {
    const pairs = raw
      .split('&')
      .filter((part) => part !== '')
      .map((part) => {
        const equals = part.indexOf('=')
        const name = equals < 0 ? part : part.slice(0, equals)
        const value = equals < 0 ? '' : part.slice(equals + 1)
        return [decode(name), decode(value)] as const
      })
    return new Query(pairs)
  }

  has(name: string): boolean {
    return this.pairs.some(([other]) => other === name)
  }

  get(name: string): string | undefined {
    return this.pairs.find(([other]) => other === name)?.[1]
  }

  /**
   * Encoded pairs sorted by encoded name, then value, in byte order; `omit`
   * leaves one name out (the signature itself).
   */
  canonical(emptyValue: '' | '=', omit?: string): string {
    return this.pairs
      .filter(([name]) => name !== omit)
      .map(([name, value]) => [percentEncode(name), percentEncode(value)])
      .toSorted(([a = '', x = ''], [b = '', y = '']) =>
        a === b ? compare(x, y) : compare(a, b),
      )
      .map(([name, value]) =>
        value === '' ? `${name}${emptyValue}` : `${name}=${value}`,
      )
      .join('&')
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function decode(raw: string): string {
  return percentDecodeText(raw) ?? apiError('InvalidURI')
}
