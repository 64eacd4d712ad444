declare module 'stream-chopper' {
  import type { PassThrough, Writable, WritableOptions } from 'node:stream'

  interface StreamChopperOptions extends WritableOptions {
    size?: number
    time?: number
    type?: symbol
  }

  class StreamChopper extends Writable {
    constructor(options?: StreamChopperOptions)
    /** A new value takes effect on the current stream. */
    size: number
    static readonly split: symbol
    static readonly overflow: symbol
    static readonly underflow: symbol
    on(
      event: 'stream',
      listener: (
        stream: PassThrough,
        next: (error?: Error | null) => void,
      ) => void,
    ): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: string, listener: (...args: never[]) => void): this
  }
  export default StreamChopper
}
