import { connect } from 'node:net'

/** Whether somebody listens at a port of the loopback interface. */
export async function listens(port) {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(2_000)
    const answer = (value) => () => {
      socket.destroy()
      resolve(value)
    }
    socket.once('connect', answer(true)).once('error', answer(false)).once('timeout', answer(false))
  })
}
