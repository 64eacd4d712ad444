/** The types of `require`, for compilers that know that Node can. */
import pawl = require('pawl')
import devServer = require('pawl/dev-server')

const names: readonly string[] = [
  typeof pawl.createResumableUploadStream,
  typeof devServer.startDevServer,
]
console.log(names.join(' '))

/** A type of ESM and of CommonJS is one type. */
export const codeOf = (error: pawl.UploadError): pawl.ErrorCode => error.code

export const optionsFor = (
  store: pawl.ObjectStore,
): pawl.UploadFileOptions => ({ store, key: 'key' })
