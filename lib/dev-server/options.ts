/** What `startDevServer` takes and gives. */
import type { FilePath } from '../file-path.js'
import type { ObjectStore } from '../store/object-store.js'

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
  | 'DeleteObjects'
  | 'CopyObject'
  | 'UploadPartCopy'
  | 'GetObjectAttributes'
  | 'GetObjectMeta'
  | 'GetObjectTagging'
  | 'PutObjectTagging'
  | 'DeleteObjectTagging'
  | 'ListObjects'
  | 'ListBuckets'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'DeleteBucket'
  | 'GetBucketLocation'
  | 'GetBucketVersioning'
  | 'GetBucketInfo'
  | 'Unknown'

/** One request as the server saw it; kept in `requests` in order of arrival. */
export interface SeenRequest {
  /** From 0, in order of arrival. */
  readonly index: number
  /** Whose protocol it speaks. */
  readonly dialect: 'oss' | 's3'
  /** What it asks for. */
  readonly operation: Operation
  /** The HTTP method. */
  readonly method: string
  /** The request target as it came over the wire. */
  readonly url: string
  /** By lower-case name, signatures included. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Undefined when it names none. */
  readonly bucket: string | undefined
  /** The object's key, decoded; undefined when it names none. */
  readonly key: string | undefined
  /** Undefined when it names none. */
  readonly uploadId: string | undefined
  /** Undefined when it names none. */
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

/** How the server misbehaves for one request; bytes and milliseconds. */
export type Fault =
  | {
      /** The connection is destroyed before the body is read. */
      kind: 'refuse'
    }
  | {
      /** Reads some of the body, then resets the connection. */
      kind: 'reset-body'
      /** How much of the body is read first. Default 0. */
      afterBytes?: number
    }
  | {
      /** Does the work, then resets without answering. */
      kind: 'reply-lost'
    }
  | {
      /** Does the work, then cuts the answer in the middle. */
      kind: 'reply-cut'
    }
  | {
      /** Answers `status` instead of doing the work. */
      kind: 'status'
      /** The HTTP status of the answer. */
      status: number
      /** The error code in an XML body of the dialect. */
      code?: string
      /** Further headers of the answer. */
      headers?: Record<string, string>
      /** The body of the answer, instead of one made from `code`. */
      body?: string
      /** Does the work all the same. Default false. */
      apply?: boolean
      /** Answers before reading the body. Default false. */
      early?: boolean
    }
  | {
      /** Reads the body and never answers. */
      kind: 'silence'
      /** Does the work. Default false. */
      apply?: boolean
    }
  | {
      /** Stops reading the body and never answers. */
      kind: 'stall'
      /** How much of the body is read first. Default 0. */
      afterBytes?: number
    }
  | {
      /** Reads slowly, then goes on as usual. */
      kind: 'trickle'
      /** How fast the body is read. */
      bytesPerSecond: number
    }
  | {
      /** Waits before answering as usual. */
      kind: 'delay'
      /** How long. */
      ms: number
    }
  | {
      /** Does the work and lies about CRCs in the answer. */
      kind: 'wrong-crc'
    }
  | {
      /** Does the work and lies about the ETag in the answer. */
      kind: 'wrong-etag'
    }
  | {
      /** Does the work and answers another body. */
      kind: 'replace-body'
      /** The body of the answer. */
      body: string
      /** The HTTP status of the answer. Default 200. */
      status?: number
    }

/** A key that requests may be signed with. */
export interface DevServerCredentials {
  /** The access key's ID. */
  accessKeyId: string
  /** The access key's secret. */
  accessKeySecret: string
  /** When given, requests must carry it. */
  securityToken?: string
}

/** An upload that the server holds, neither complete nor aborted. */
export interface OpenUpload {
  /** The bucket's name. */
  bucket: string
  /** The object's key. */
  key: string
  /** The server's name for it. */
  uploadId: string
  /** Parts that are stored. */
  parts: number
}

/** How {@link startDevServer} serves; bytes and milliseconds. */
export interface DevServerOptions {
  /**
   * Where objects and parts are kept; made if missing. Default: a new temporary
   * directory, removed by `close()`. Started again on the same directory the
   * server has the same objects and unfinished uploads.
   */
  directory?: FilePath
  /** Default 0: a free one. */
  port?: number
  /** Default `127.0.0.1`. Anything but loopback needs `allowRemote`. */
  host?: string
  /** Serve other machines too; needs `credentials`. Default false. */
  allowRemote?: boolean
  /** Buckets that exist. Default: `['examplebucket']`; `'*'`: any name. */
  buckets?: readonly string[] | '*'
  /**
   * Accepted keys. Default: `{ accessKeyId: 'dev', accessKeySecret: 'dev-secret' }`,
   * which everybody knows: no web page is let in with it.
   */
  credentials?: DevServerCredentials
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
  /**
   * Complete is refused (`InvalidPart`) unless all parts but the last are of one
   * size, and the last is no larger: as Cloudflare's R2 does. Default false.
   */
  equalParts?: boolean
  /** Most entries on a page of a list, whatever was asked for. Default 1000. */
  maxPageSize?: number
  /** Body bytes a second taken in all together. Default: no limit. */
  bytesPerSecond?: number
  /** Added to the server's clock, ms; for tests of skew. */
  clockOffset?: number
  /** Whether `requests` keeps them; a server that runs for long should not. Default true. */
  keepRequests?: boolean
  /**
   * Told of what is passed over in `directory`, such as a file that is not the
   * server's. Default: `process.emitWarning`.
   */
  onWarning?: (text: string) => void
  /** Asked once for each request when its head has arrived. */
  fault?: (request: SeenRequest) => Fault | undefined
}

/** A server that listens. */
export interface DevServer {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  /** The port it listens on. */
  readonly port: number
  /** Where objects and parts are kept. */
  readonly directory: string
  /** All requests so far, in order of arrival; empty without `keepRequests`. */
  readonly requests: readonly SeenRequest[]
  /** Changes what `fault` answers from now on. */
  setFault(
    fault: ((request: SeenRequest) => Fault | undefined) | undefined,
  ): void
  /** Changes the accepted keys from now on. */
  setCredentials(credentials: DevServerCredentials): void
  /** The path of a finished object's bytes; undefined when there is none. */
  objectPath(bucket: string, key: string): string | undefined
  /**
   * A store for one of its buckets, which signs with the accepted key, also after
   * `setCredentials`. Default: of OSS; `'s3'`: the same bucket by the S3 API.
   */
  store(bucket: string, dialect?: 'oss' | 's3'): ObjectStore
  /** Upload IDs not completed nor aborted. */
  openUploads(): OpenUpload[]
  /** Stops listening and destroys open connections; the data stays unless it was temporary. */
  close(): Promise<void>
}
