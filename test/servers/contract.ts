/** The contract test against the store that the environment names. */
import t from 'tap'
import { contract } from '../contract/contract.js'
import { environmentTarget } from '../contract/targets.js'

await contract(t, environmentTarget(t))
