/** `uploadFile`. */
import { uploadFile } from '../../dist/index.js'
import { storeOf, uploadOptions } from './pawl.js'

export async function createClient(options) {
  const store = storeOf(options)
  return {
    run: ({ path, key }) =>
      uploadFile(path, uploadOptions(options, store, key)),
  }
}
