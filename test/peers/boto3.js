/** boto3 of Debian: the steps are functions of `boto3-steps.py`, run in order. */
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('boto3-steps.py', import.meta.url))
const python = '/usr/bin/python3'
const titles = [
  'buckets',
  'upload_file and download_file, of parts',
  'upload_fileobj, copy in parts',
  'pages of list_objects and list_objects_v2',
  'conditional reads',
  'tags',
  'attributes',
  'multipart by hand, aborted and completed twice',
  'presigned URLs',
  'delete_objects',
  'what is not there is refused',
  'the end',
]

export const boto3 = {
  packages: ['python3-boto3'],
  version: ({ run }) =>
    run(python, ['-c', 'import boto3; print(boto3.__version__)']),
  *steps({ run }) {
    for (const [index, title] of titles.entries()) {
      yield [title, () => run(python, [script, String(index)])]
    }
  },
}
