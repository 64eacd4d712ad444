/** `ali-oss`: `multipartUpload` of a file; it takes no streams and checks nothing. */
import OSS from 'ali-oss'

export async function createClient({ port, origin }) {
  const client = new OSS({
    accessKeyId: 'bench',
    accessKeySecret: 'bench',
    bucket: 'bench',
    region: 'cn-hangzhou',
    endpoint: origin ?? `http://127.0.0.1:${port}`,
  })
  return {
    run: ({ path, key }) =>
      client.multipartUpload(key, path, {
        partSize: 8 * 1024 * 1024,
        parallel: 4,
      }),
  }
}
