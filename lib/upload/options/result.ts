/** What a finished upload resolves to. */
export interface UploadResult {
  /** The bucket's name. */
  bucket: string
  /** The object's key. */
  key: string
  /** Without quotes. */
  etag: string
  /** Of the whole object, unsigned decimal; undefined when nobody computed it. */
  crc64: string | undefined
  /** Undefined without versioning. */
  versionId: string | undefined
  /** Bytes. */
  size: number
  /** 0 for an object that was put in one request. */
  parts: number
  /** Parts that needed no request in this run. */
  partsReused: number
  /** Bytes in them. */
  bytesReused: number
  /** Undefined for an object that was put in one request. */
  uploadId: string | undefined
  /** An earlier run's upload was gone on with. */
  resumed: boolean
  /** The weakest of what was compared with the server: of all parts and the object. */
  verified: 'crc64' | 'md5' | 'none'
  /** The log could not be removed; it says `done` and does no harm. */
  checkpointLeft: boolean
  /** OSS: the callback server's answer, when a callback was asked for. */
  callbackBody?: string | undefined
}
