import { describe, expect, test } from 'vitest'
import { html, scriptJson } from '../../src/report/html.ts'

describe('markup', () => {
  test('what is put in is text', () => {
    const hostile = `</p><script>alert('1')</script>"&amp;`
    expect(html`<p title="${hostile}">${hostile}</p>`.toString()).toBe(
      `<p title="&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;">&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;</p>`,
    )
  })

  test('markup in markup stays markup, and lists are joined', () => {
    expect(html`<ul>${['<', '>'].map((text) => html`<li>${text}</li>`)}</ul>`.toString()).toBe(
      '<ul><li>&lt;</li><li>&gt;</li></ul>',
    )
  })

  test('nothing is written for what is not there, and zero for zero', () => {
    expect(html`${undefined}${null}${false}${0}`.toString()).toBe('0')
  })

  test('JSON in a script element cannot end it, and means the same', () => {
    const value = ['</script><!--', '\u2028\u2029&']
    const json = scriptJson(value).toString()
    expect(json).not.toMatch(/[<>&\u2028\u2029]/)
    expect(JSON.parse(json)).toEqual(value)
  })
})
