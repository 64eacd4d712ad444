/** How the library is set up in every run: stores, options, where logs go. */
import { join } from 'node:path'
import { ossStore, s3Store } from '../../dist/index.js'

const credentials = { accessKeyId: 'bench', accessKeySecret: 'bench' }

export function storeOf({ port, dialect = 'oss', origin }) {
  const endpoint = origin ?? `http://127.0.0.1:${port}`
  const where = { bucket: 'bench', endpoint, addressing: 'path' }
  return dialect === 'oss'
    ? ossStore({ ...where, region: 'cn-hangzhou', credentials })
    : s3Store({
        ...where,
        region: 'us-east-1',
        credentials: {
          accessKeyId: 'bench',
          secretAccessKey: 'bench',
        },
      })
}

/** What both kinds of upload are told. `verify: undefined` is the default. */
export function uploadOptions(options, store, key) {
  const { verify, checkpoint, directory, partSize, concurrency } = options
  return {
    store,
    key: options.crc ? `crc/${key}` : key,
    checkpoint: checkpoint === true ? join(directory, `${key}.pawl`) : false,
    ...(verify === undefined ? {} : { verify }),
    ...(partSize === undefined ? {} : { partSize }),
    ...(concurrency === undefined ? {} : { concurrency }),
  }
}
