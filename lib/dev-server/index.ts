/** An OSS and S3 server for development and tests. */
export { startDevServer } from './server.js'
export type {
  DevServer,
  DevServerOptions,
  Fault,
  Operation,
  SeenRequest,
} from './options.js'
