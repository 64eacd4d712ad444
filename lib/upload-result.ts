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
  /**
   * The log is still there: it could not be removed, or names uploads that are not
   * aborted yet (`uploadsLeft`). It does no harm: the next run begins anew.
   */
  checkpointLeft: boolean
  /** IDs of earlier uploads of this log that could not be aborted; a later run does. */
  uploadsLeft?: string[] | undefined
  /**
   * Only where the store orders by Initiate (AWS). False: another object, that was
   * put or begun after this upload's Initiate, is under the key.
   */
  current?: boolean | undefined
  /** OSS: the callback server's answer, when a callback was asked for. */
  callbackBody?: string | undefined
  /**
   * OSS: the object is known by looking at it, since the answer was lost, so that
   * nobody knows whether the callback that was asked for was made.
   */
  callback?: 'unknown' | undefined
}
