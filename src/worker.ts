/* The start file of a worker thread: hosts replica stores of every connector in the registry. */
import { parentPort } from 'node:worker_threads'
import { loadConnector } from './connectors/registry.ts'
import { hostStores } from './lanes/host.ts'

const port = parentPort
if (port !== null) {
  hostStores(
    {
      post: (message, transfer) => {
        port.postMessage(message, transfer === undefined ? [] : [...transfer])
      },
      onMessage: (listener) => {
        port.on('message', listener)
      },
    },
    loadConnector,
  )
}
