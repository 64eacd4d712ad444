import t from 'tap'
import { type FleetModel, simulateFleet } from './simulation.js'

const model: FleetModel = {
  files: 1_000_000,
  fileSize: 1024 ** 2,
  sliceFiles: 1000,
  machines: 16,
  line: 1.25e9,
  atOnce: 16,
  latency: 0.01,
  quota: { requests: 10_000, bytes: 2.5e9 },
  life: Infinity,
  lease: 30,
  restart: 60,
  seed: 1,
}

await t.test('the tightest limit says how long it takes', async (t) => {
  const { files, fileSize } = model
  const rows: [string, Partial<FleetModel>, number][] = [
    ["the store's bytes", {}, (files * fileSize) / 2.5e9],
    ["the store's requests", { fileSize: 1 }, (files * 1.004) / 10_000],
    ['the line of one', { machines: 1 }, (files * fileSize) / 1.25e9],
    ['answers', { machines: 2, fileSize: 1 }, files / 3200],
  ]
  for (const [name, change, expected] of rows) {
    const { seconds, repeated } = simulateFleet({ ...model, ...change })
    // The last slices are not shared out evenly, nor is a second.
    t.ok(seconds >= expected * 0.99, `${name}: ${seconds}, ${expected}`)
    t.ok(seconds <= expected * 1.15 + 2, `${name}: ${seconds}, ${expected}`)
    t.equal(repeated, 0)
  }
})

await t.test('a death repeats what is under way alone', async (t) => {
  const mortal = { ...model, life: 60 }
  const one = simulateFleet(mortal)
  t.same(simulateFleet(mortal), one, 'the same seed, the same end')
  t.ok(one.deaths > 50)
  t.ok(one.repeated <= one.deaths * model.atOnce)
  t.ok(one.asked > 0 && one.asked <= one.deaths * model.sliceFiles)
  t.ok(one.seconds > simulateFleet(model).seconds)
})

await t.test(
  'a slice that outlives its machines comes to its end',
  async (t) => {
    const mortal = { ...model, files: 1000, machines: 4, latency: 10, life: 12 }
    const { deaths, asked, seconds } = simulateFleet(mortal)
    t.ok(deaths > 10)
    // Each file but those of the first machine is asked for once, or noted.
    t.ok(asked <= mortal.files + deaths * 2, `${asked} in ${seconds} s`)
  },
)
