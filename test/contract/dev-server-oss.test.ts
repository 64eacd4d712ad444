import t from 'tap'
import { contract } from './contract.js'
import { devOssTarget } from './targets.js'

await contract(t, await devOssTarget(t))
