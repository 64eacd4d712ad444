/**
 * An OSS and S3 server for development and tests, on loopback.
 *
 * @module pawl/dev-server
 */
export { startDevServer } from './server.js'
export type {
  DevServer,
  DevServerCredentials,
  DevServerOptions,
  Fault,
  OpenUpload,
  Operation,
  SeenRequest,
} from './options.js'
