/** From CommonJS: `require` where Node has it for ESM, `import()` everywhere. */
const assert = require('node:assert/strict')

async function main() {
  const canRequire = process.features.require_module
  if (!canRequire)
    assert.throws(() => require('pawl'), /ERR_REQUIRE_ESM|ES Module/)
  const pawl = canRequire ? require('pawl') : await import('pawl')
  const { startDevServer } = canRequire
    ? require('pawl/dev-server')
    : await import('pawl/dev-server')
  assert.equal(pawl.uploadFile, (await import('pawl')).uploadFile)
  const server = await startDevServer()
  try {
    const { size, verified } = await pawl.uploadFile(__filename, {
      store: pawl.ossStore({
        endpoint: server.endpoint,
        region: 'cn-hangzhou',
        bucket: 'examplebucket',
        credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
      }),
      key: 'require.cjs',
    })
    assert.equal(verified, 'crc64')
    console.log(`${canRequire ? 'require' : 'import()'}: ${size} bytes stored`)
  } finally {
    await server.close()
  }
}

void main()
