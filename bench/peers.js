/** The same job by the clients that people use today, on the same server. */
import { row } from './support/report.js'

export const title = 'beside other clients'

export async function run({ runs, compare, server, input }) {
  const base = { port: server.port, directory: input.directory }
  const contender = (name, client, options) => ({
    name,
    client,
    options: { ...base, ...options },
  })
  const off = { verify: false }
  const s3 = { dialect: 's3' }
  const found = await compare(
    [
      contender('file: pawl uploadFile, no checks', 'pawl-file', off),
      contender('file: ali-oss (checks nothing)', 'ali-oss'),
      contender('stream: pawl to OSS, no checks', 'pawl-stream', off),
      contender('stream: pawl to OSS, CRC-64', 'pawl-stream', { crc: true }),
      contender('stream: pawl to S3, no checks', 'pawl-stream', {
        ...s3,
        ...off,
      }),
      contender('stream: pawl to S3, MD5', 'pawl-stream', s3),
      contender('stream: lib-storage, no checks', 'aws', { checksums: false }),
      contender('stream: lib-storage, CRC-32', 'aws'),
      contender('stream: minio, SHA-256', 'minio'),
    ],
    { runs },
  )
  const get = (name) => {
    const [key] = [...found.keys()].filter((k) => k.includes(name))
    return found.get(key)
  }
  const file = get('uploadFile')
  const oss = get('ali-oss')
  const plain = get('pawl to OSS, no checks')
  const peers = {
    'lib-storage': { checked: get('storage, CRC'), off: get('storage, no') },
    // It has no switch for its checksum.
    minio: { checked: get('minio'), off: get('minio') },
  }
  const goals = [
    ...ratios('uploadFile', file, 'ali-oss', oss, 1),
    {
      goal: 'uploadFile, no checks: peak memory, of ali-oss',
      atMost: 1.1,
      measured: file.peakRss / oss.peakRss,
    },
    ...ratios('stream to OSS, no checks', plain, 'ali-oss (file)', oss, 1),
  ]
  for (const [name, { checked, off: unchecked }] of Object.entries(peers)) {
    const crc = get('pawl to OSS, CRC')
    const md5 = get('pawl to S3, MD5')
    const bare = get('pawl to S3, no checks')
    goals.push(
      ...ratios('stream to OSS, CRC-64', crc, name, checked, 0.5),
      ...ratios('stream to S3, MD5', md5, name, checked, 0.5),
      ...ratios('stream to S3, no checks', bare, name, unchecked, 1 / 3),
    )
  }
  goals.push({
    goal: 'stream to S3, no checks: peak memory, of the leaner peer',
    atMost: 1,
    measured:
      get('pawl to S3, no checks').peakRss /
      Math.min(get('minio').peakRss, get('storage, no').peakRss),
  })
  return {
    tables: [{ title, rows: [...found].map(([name, one]) => row(name, one)) }],
    goals,
  }
}

function ratios(what, ours, whom, theirs, atMost) {
  return ['cpu', 'wall'].map((kind) => ({
    goal: `${what}: ${kind === 'cpu' ? 'CPU' : 'wall time'}, of ${whom}`,
    atMost,
    measured: ours[kind] / theirs[kind],
  }))
}
