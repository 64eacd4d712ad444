/** Faults that are planted are there to be found. */
import t from 'tap'
import { mutants, mutated } from './mutants.js'
import { simulationMutants } from './simulation-mutants.js'
import { libFiles } from './sources.js'

await t.test('each fault changes one place of the sources', async (t) => {
  const files = libFiles()
  t.ok(mutants.length >= 10)
  t.ok(simulationMutants.length >= 10)
  for (const mutant of [...mutants, ...simulationMutants]) {
    const { name, text } = mutated(mutant, files)
    const before = files.find((file) => file.name === name)
    t.ok(before !== undefined && before.text !== text, mutant.name)
  }
})

await t.test('one that has lost its place is told', async (t) => {
  const mutant = { name: 'x', find: 'a', replace: '$&' }
  const files = (...texts: string[]) =>
    texts.map((text, index) => ({ name: `${index}.ts`, text }))
  t.same(mutated(mutant, files('b', 'cab')), { name: '1.ts', text: 'c$&b' })
  for (const found of [files('b'), files('aa'), files('a', 'a')]) {
    t.throws(() => mutated(mutant, found), { message: /"x": its text is in / })
  }
})
