declare module 'stream-chopper' {
  import type { PassThrough, Writable, WritableOptions } from 'node:stream'

  interface StreamChopperOptions extends WritableOptions {
    size?: number
    time?: number
    type?: symbol
  }

  interface StreamChopper extends Writable {
    on(
      event: 'stream',
      listener: (
        stream: PassThrough,
        next: (error?: Error | null) => void,
      ) => void,
    ): this
    on(event: string, listener: (...args: never[]) => void): this
  }

  const StreamChopper: {
    new (options?: StreamChopperOptions): StreamChopper
    readonly split: symbol
    readonly overflow: symbol
    readonly underflow: symbol
  }
  export default StreamChopper
}
