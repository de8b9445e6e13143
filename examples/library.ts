import { openSession } from 'merganser'

const session = await openSession({
  tables: {
    orders: {
      key: { customer: 'int64', order_id: 'string' },
      values: { state: 'string', total: 'decimal(12,2)', paid: 'boolean' },
    },
  },
  replicas: { SHOP: { type: 'embedded-documents' }, WAREHOUSE: { type: 'embedded-warehouse' } },
})

const key = { customer: 7n, order_id: 'A1' }
await session.set('SHOP', 'orders', key, { state: 'open', total: '12.50' })
await session.set('WAREHOUSE', 'orders', key, { paid: true })
await session.fullSync()

const order = await session.get('SHOP', 'orders', key)
console.log(order?.state, order?.total, order?.paid) // open 12.5 true

const report = await session.close() // flushes both databases
console.log(report.converged) // true
