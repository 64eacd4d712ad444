import t from 'tap'
import { sized } from '../support/tier.js'
import { contract, everyChapter } from './contract.js'
import { devS3Target } from './targets.js'

// The other chapters send parts of 5 MiB, the least that S3 takes.
const chapters = sized({
  fast: ['calls', 'errors'] as const,
  more: everyChapter,
  long: everyChapter,
})

await contract(t, await devS3Target(t), chapters)
