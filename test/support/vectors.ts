/** The signature vectors, as far as the tests read them. */
import { readFileSync } from 'node:fs'

interface Expectation {
  canonicalUri?: string
  canonicalQuery?: string
  canonicalRequest?: string
  canonicalizedResource?: string
  stringToSign: string
  scope?: string
  signingKeyHex?: string
  signature: string
  authorization?: string
  headersAdded?: Record<string, string>
  additionalHeaders?: string[]
  query?: Record<string, string>
  url: string
}

export interface Vector {
  id: string
  kind: 'header' | 'presign'
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD'
  credentials: {
    accessKeyId: string
    accessKeySecret?: string
    secretAccessKey?: string
    securityToken?: string
    sessionToken?: string
  }
  region: string
  product?: string
  bucket: string | null
  key: string | null
  query: [string, string][]
  headers: Record<string, string>
  additionalHeaders?: string[]
  extraSubResources?: string[]
  signableHeaders?: string[]
  time: string
  date: string
  epochSeconds: number
  expiresSeconds: number
  expiresEpochSeconds: number
  style?: 'virtual' | 'path'
  endpointHost?: string
  port?: number
  payload?: 'unsigned' | 'signed'
  body?: string
  expect: Expectation
}

export function vectors(file: string): Vector[] {
  const url = new URL(`../fixtures/vectors/${file}`, import.meta.url)
  const { vectors } = JSON.parse(readFileSync(url, 'utf8')) as {
    vectors: Vector[]
  }
  return vectors
}
