import { describe, expect, it } from 'vitest'
import { ChannelError } from '../../src/connectors/hive/client/channel.ts'
import { MessageEnd } from '../../src/connectors/hive/client/message-end.ts'
import { saslAnswer, saslHello } from '../../src/connectors/hive/client/sasl.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'
import { MerganserError } from '../../src/core/errors.ts'

function refused(url: string): MerganserError {
  try {
    parseHiveUrl(url)
  } catch (error) {
    if (error instanceof MerganserError) return error
  }
  throw new Error('it was taken')
}

describe('the URL of Hive', () => {
  it('has defaults for all but the host', () => {
    expect(parseHiveUrl('hive://db.example')).toEqual({
      host: 'db.example',
      port: 10_000,
      database: 'default',
      user: 'hive',
      auth: 'none',
      transport: 'binary',
      tls: false,
      connectMilliseconds: 30_000,
      statementMilliseconds: 600_000,
      answerMilliseconds: 15_000,
      cancelMilliseconds: 5_000,
      settings: {},
    })
    expect(parseHiveUrl('hive://h?transport=http').port).toBe(10_001)
  })

  it('says everything that can be said', () => {
    const url =
      'hive://an%40a:p%3A%2Fw@[::1]:99/my%20db?auth=ldap&transport=http&httpPath=x/y&tls=true&caFile=/ca.pem' +
      '&serverName=hive.example&insecure=true&connectSeconds=1.5&statementSeconds=7&answerSeconds=3&cancelSeconds=2&set:hive.a.b=c%3Dd'
    expect(parseHiveUrl(url)).toEqual({
      host: '::1',
      port: 99,
      database: 'my db',
      user: 'an@a',
      password: 'p:/w',
      auth: 'ldap',
      transport: 'http',
      httpPath: 'x/y',
      tls: { caFile: '/ca.pem', serverName: 'hive.example', insecure: true },
      connectMilliseconds: 1_500,
      statementMilliseconds: 7_000,
      answerMilliseconds: 3_000,
      cancelMilliseconds: 2_000,
      settings: { 'hive.a.b': 'c=d' },
    })
  })

  it('is refused without its secrets', () => {
    const urls = [
      'mysql://u:hunter2@h/d',
      'hive:hunter2',
      'hive://u:hunter2%@h/d',
      'hive://u:hunter2@h:99999/d',
      'hive://u:hunter2@h/d?auth=hunter2',
      'hive://u:hunter2@h/d?hunter2=1',
      'hive://u:hunter2@h/d?auth=none&auth=hunter2',
      'hive://u:hunter2@h/d?connectSeconds=0',
      'hive://u:hunter2@h/d?caFile=hunter2',
    ]
    for (const url of urls) {
      const error = refused(url)
      expect(error.code).toBe('BAD_CONFIG')
      expect(`${error.message} ${error.advice ?? ''}`).not.toContain('hunter2')
    }
  })
})

describe('the bytes of the protocol', () => {
  it('are those of SASL PLAIN', () => {
    expect(saslHello('u', 'p').toString('hex')).toBe('0100000005504c41494e0200000004' + '00750070')
  })

  it('say when the sign-in is done, refused, or none', () => {
    expect(saslAnswer(Buffer.from('05000000', 'hex'))).toBeUndefined()
    expect(saslAnswer(Buffer.from('0500000000ff', 'hex'))).toBe(5)
    expect(() => saslAnswer(Buffer.from('0300000000', 'hex'))).toThrow(ChannelError)
    expect(() => saslAnswer(Buffer.from('SSH-2.0'))).toThrow(ChannelError)
  })

  it('end where a message ends, in whatever pieces they come', () => {
    // A call `x`: a map of strings to lists of integers, a struct with a string, a list of strings, nothing more.
    const message = Buffer.concat([
      Buffer.from('80010002' + '0000000178' + '00000001', 'hex'),
      Buffer.from('0d00010b0f00000001' + '0000000161' + '0800000002' + '0000000100000002', 'hex'),
      Buffer.from('0c0002' + '0b00010000000162' + '00', 'hex'),
      Buffer.from('0f00030b00000002' + '0000000163' + '00000000' + '00', 'hex'),
    ])
    const end = new MessageEnd()
    for (let i = 0; i < message.length; i++) expect(end.find(message.subarray(0, i))).toBeUndefined()
    expect(end.find(message)).toBe(message.length)
    expect(new MessageEnd().find(Buffer.concat([message, message]))).toBe(message.length)
    expect(() => new MessageEnd().find(Buffer.from('HTTP/1.1 400'))).toThrow(ChannelError)
  })
})
