/** What `startDevServer` takes and gives. */

/** The calls that the dev server knows, in either dialect. */
export type Operation =
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjects'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'Unknown'

/** One request as the server saw it; kept in `requests` in order of arrival. */
export interface SeenRequest {
  /** From 0, in order of arrival. */
  readonly index: number
  readonly dialect: 'oss' | 's3'
  readonly operation: Operation
  readonly method: string
  /** The request target as it came over the wire. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bucket: string | undefined
  readonly key: string | undefined
  readonly uploadId: string | undefined
  readonly partNumber: number | undefined
  /** ms since 1970, at its arrival. */
  readonly time: number
  /** Body bytes received so far (grows while the body comes). */
  bytes: number
  /** What was answered; undefined while it is open or when it was cut. */
  status: number | undefined
  /** The server's state was changed (part stored, upload completed, …). */
  applied: boolean
}

/**
 * How the server misbehaves for one request.
 *
 * - `refuse`: the connection is destroyed before the body is read
 * - `reset-body`: reads `afterBytes` of the body, then resets the connection
 * - `reply-lost`: does the work, then resets without answering
 * - `reply-cut`: does the work, then cuts the answer in the middle
 * - `status`: answers `status` (with `code`, `headers`, `body` if given),
 *   without doing the work unless `apply`; `early` answers before reading the body
 * - `silence`: reads the body, does the work if `apply`, never answers
 * - `stall`: stops reading after `afterBytes` and never answers
 * - `trickle`: reads `bytesPerSecond`, then goes on as usual
 * - `delay`: waits `ms` before answering as usual
 * - `wrong-crc`, `wrong-etag`: does the work and lies in the answer's headers
 * - `replace-body`: does the work and answers `body` (status 200) instead
 */
export type Fault =
  | { kind: 'refuse' }
  | { kind: 'reset-body'; afterBytes?: number }
  | { kind: 'reply-lost' }
  | { kind: 'reply-cut' }
  | {
      kind: 'status'
      status: number
      code?: string
      headers?: Record<string, string>
      body?: string
      apply?: boolean
      early?: boolean
    }
  | { kind: 'silence'; apply?: boolean }
  | { kind: 'stall'; afterBytes?: number }
  | { kind: 'trickle'; bytesPerSecond: number }
  | { kind: 'delay'; ms: number }
  | { kind: 'wrong-crc' }
  | { kind: 'wrong-etag' }
  | { kind: 'replace-body'; body: string; status?: number }

export interface DevServerOptions {
  /**
   * Where objects and parts are kept; made if missing. Default: a new temporary
   * directory, removed by `close()`. Started again on the same directory the
   * server has the same objects and unfinished uploads.
   */
  directory?: string
  /** Default 0: a free one. */
  port?: number
  /** Default `127.0.0.1`. Anything but loopback needs `allowRemote`. */
  host?: string
  allowRemote?: boolean
  /** Buckets that exist. Default: `['examplebucket']`; `'*'`: any name. */
  buckets?: readonly string[] | '*'
  /** Accepted keys. Default: `{ accessKeyId: 'dev', accessKeySecret: 'dev-secret' }`. */
  credentials?: {
    accessKeyId: string
    accessKeySecret: string
    /** When given, requests must carry it. */
    securityToken?: string
  }
  /** Host names (of CNAMEs, say) bound to a bucket: `{ 'files.example': 'b' }`. */
  hosts?: Readonly<Record<string, string>>
  /** When given, signatures have to name it. Default: any region. */
  region?: string
  /** Bodies are counted and hashed, not kept. Default false. */
  discard?: boolean
  /**
   * What is computed of every body besides what its request promises. `all`
   * (default): MD5, which is the ETag, and CRC-64; `crc64`: ETags are opaque;
   * `none`: no CRC-64 is answered either.
   */
  digests?: 'all' | 'crc64' | 'none'
  /** Smallest part but the last, bytes. Default 102,400 (OSS) and 5 MiB (S3). */
  minPartSize?: number
  /** Most entries on a page of a list, whatever was asked for. Default 1000. */
  maxPageSize?: number
  /** Body bytes a second taken in all together. Default: no limit. */
  bytesPerSecond?: number
  /** Added to the server's clock, ms; for tests of skew. */
  clockOffset?: number
  /** Asked once for each request when its head has arrived. */
  fault?: (request: SeenRequest) => Fault | undefined
}

export interface DevServer {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  readonly port: number
  readonly directory: string
  readonly requests: readonly SeenRequest[]
  /** Changes what `fault` answers from now on. */
  setFault(
    fault: ((request: SeenRequest) => Fault | undefined) | undefined,
  ): void
  /** Changes the accepted keys from now on. */
  setCredentials(
    credentials: NonNullable<DevServerOptions['credentials']>,
  ): void
  /** The path of a finished object's bytes; undefined when there is none. */
  objectPath(bucket: string, key: string): string | undefined
  /** Upload IDs not completed nor aborted. */
  openUploads(): {
    bucket: string
    key: string
    uploadId: string
    parts: number
  }[]
  /** Stops listening and destroys open connections; the data stays unless it was temporary. */
  close(): Promise<void>
}
