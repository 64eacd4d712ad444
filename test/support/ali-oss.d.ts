/** The little of `ali-oss` that tests use; the package has no types. */
declare module 'ali-oss' {
  import type { Agent } from 'node:http'

  interface Answer {
    status: number
    headers: Record<string, string>
  }
  interface ListedPart {
    PartNumber: string
    ETag: string
    Size: string
    HashCrc64ecma: string
  }
  export default class OSS {
    constructor(options: {
      endpoint: string
      region: string
      bucket: string
      accessKeyId: string
      accessKeySecret: string
      stsToken?: string
      authorizationV4?: boolean
      sldEnable?: boolean
      agent?: Agent
    })
    put(
      name: string,
      content: Buffer,
      options?: { headers?: Record<string, string>; meta?: object },
    ): Promise<{ res: Answer }>
    head(
      name: string,
    ): Promise<{ res: Answer; meta: Record<string, string> | null }>
    get(
      name: string,
      options?: { headers?: Record<string, string> },
    ): Promise<{ res: Answer; content: Buffer }>
    delete(name: string): Promise<{ res: Answer }>
    signatureUrl(name: string, options?: object): string
    multipartUpload(
      name: string,
      file: string,
      options?: object,
    ): Promise<{ res: Answer; etag: string; data: Record<string, string> }>
    initMultipartUpload(
      name: string,
      options?: object,
    ): Promise<{ uploadId: string }>
    uploadPart(
      name: string,
      uploadId: string,
      partNo: number,
      file: string,
      start: number,
      end: number,
    ): Promise<{ etag: string; res: Answer }>
    completeMultipartUpload(
      name: string,
      uploadId: string,
      parts: { number: number; etag: string }[],
      options?: object,
    ): Promise<{ etag: string; res: Answer }>
    abortMultipartUpload(
      name: string,
      uploadId: string,
    ): Promise<{ res: Answer }>
    listParts(
      name: string,
      uploadId: string,
      query?: object,
    ): Promise<{ parts: ListedPart[]; isTruncated: string }>
    listUploads(
      query: object,
    ): Promise<{ uploads: { name: string; uploadId: string }[] | null }>
    listV2(query: object): Promise<{ objects: { name: string }[] }>
  }
}
