/** What callers may ask of the finished object, whatever the store. */

/**
 * How OSS is to call back when the object is complete (OSS documentation,
 * "Callback"). When it fails, the object exists all the same: a `CallbackError`
 * in the result of an upload, `callbackFailed` in a store's answer.
 */
export interface CallbackOptions {
  /** One to five URLs; OSS asks them in order until one answers. */
  url: string | readonly string[]
  /** The body, with `${bucket}`, `${object}`, `${x:name}` and the like. */
  body: string
  /** Its content type. Default: the form's, `application/x-www-form-urlencoded`. */
  bodyType?: 'application/x-www-form-urlencoded' | 'application/json'
  /** The Host header of the callback. Default: the URL's host. */
  host?: string
  /** Whether OSS sends SNI. Default: OSS's, false. */
  sni?: boolean
  /**
   * Own values for the body; names are lower case, without the `x:`. These, and
   * the rest of the callback, are at most 5 KiB each once encoded.
   */
  variables?: Readonly<Record<string, string>>
}

/** Server-side encryption of the finished object. */
export interface EncryptionOptions {
  /** `AES256`, `KMS` or `SM4` on OSS; `AES256` or `aws:kms` on S3. */
  algorithm: string
  /** The key in the key service; only with `KMS` or `aws:kms`. */
  keyId?: string
  /** OSS: `SM4`, only with `KMS`. */
  dataEncryption?: string
}

/**
 * What the finished object is to be, besides its bytes. All of it but `acl`,
 * `forbidOverwrite` and `callback` on OSS is fixed when an upload begins: a run
 * with other values starts a new one (`restarted`, `options-changed`).
 */
export interface ObjectOptions {
  /** Content-Type. Default: the server's; `uploadFile` goes by the file's name. */
  contentType?: string
  /** Cache-Control, as it is to be answered to readers. */
  cacheControl?: string
  /** Content-Disposition, such as `attachment; filename="db.dump"`. */
  contentDisposition?: string
  /** Content-Encoding, such as `gzip`; the bytes are not changed by it. */
  contentEncoding?: string
  /** Expires; a string goes out as it is. */
  expires?: string | Date
  /**
   * User metadata; names of letters, digits and `-`, values of printable ASCII.
   * The name `pawl` is the library's own: what a caller gives for it is dropped.
   * Together less than 8 KiB on OSS ("Manage object metadata"), 2 KiB on S3
   * at most ("Working with object metadata").
   */
  metadata?: Readonly<Record<string, string>>
  /**
   * Who may read it: `private`, `public-read` and the like; one that there is not
   * is `PAWL_INVALID_OPTION`. Default: the bucket's on OSS, `private` on S3. OSS
   * takes it when the object is made ("CompleteMultipartUpload"), S3 when the
   * upload begins.
   */
  acl?: string
  /** Such as `IA` (OSS) or `STANDARD_IA` (S3). Default: the server's. */
  storageClass?: string
  /** Tags; encoded as the header wants them, and needing a permission of their own. */
  tagging?: Readonly<Record<string, string>>
  /** Server-side encryption. Default: the bucket's. */
  encryption?: EncryptionOptions
  /**
   * Refuse to replace an object that exists already: `PAWL_ALREADY_EXISTS`.
   * Default false. OSS ignores it in buckets with versioning ("PutObject").
   */
  forbidOverwrite?: boolean
  /** OSS only; `PAWL_INVALID_OPTION` elsewhere. */
  callback?: CallbackOptions
  /** Any further header for Initiate and PutObject; none that has an option. */
  headers?: Readonly<Record<string, string>>
}
