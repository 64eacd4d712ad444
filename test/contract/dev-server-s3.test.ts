import t from 'tap'
import { contract } from './contract.js'
import { devS3Target } from './targets.js'

await contract(t, await devS3Target(t))
