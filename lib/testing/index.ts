/**
 * For those who write a store or a place for logs of their own: what pawl expects
 * of it, as cases for `node:test`, tap, Jest, Vitest or any other runner.
 *
 * @module pawl/testing
 */
export type { ContractCase } from './contract-case.js'
export {
  checkpointContract,
  type CheckpointSubject,
} from './checkpoint-contract.js'
export { storeContract, type StoreSubject } from './store-contract.js'
