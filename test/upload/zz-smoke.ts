import { open, stat } from 'node:fs/promises'
import { startDevServer } from '../../lib/dev-server/index.js'
import { ossStore, uploadFile } from '../../lib/index.js'
const server = await startDevServer({ discard: true, digests: process.argv[4] === 'n' ? 'none':'all' })
const store = ossStore({ endpoint: server.endpoint, region: 'cn-hangzhou', bucket: 'examplebucket', credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' } })
const h = await open('/tmp/pf/sparse', 'w'); await h.truncate(Number(process.argv[2])); await h.close()
console.log((await stat('/tmp/pf/sparse')).size)
const t0 = performance.now()
const r = await uploadFile('/tmp/pf/sparse', { store, key: 'k', partSize: Number(process.argv[3]), checkpoint: false, multipartThreshold: Number(process.argv[5]??process.argv[3]) })
console.log(r, performance.now()-t0, process.resourceUsage().maxRSS / 1024)
await store.close(); await server.close()
