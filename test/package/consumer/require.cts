/** The types of `require`, for compilers that know that Node can. */
import pawl = require('pawl')
import devServer = require('pawl/dev-server')

const names: readonly string[] = [
  typeof pawl.createResumableUploadStream,
  typeof devServer.startDevServer,
]
console.log(names.join(' '))
