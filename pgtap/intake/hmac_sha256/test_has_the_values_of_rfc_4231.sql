begin;
select plan(4);

-- RFC 4231, sections 4.2, 4.3, 4.4 and 4.7.
select is(encode(intake.hmac_sha256(c.key, c.message), 'hex'), c.hash, c.name)
from (values
  (
    '20 bytes', decode(repeat('0b', 20), 'hex'), convert_to('Hi There', 'UTF8'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'
  ),
  (
    'a short key', convert_to('Jefe', 'UTF8'), convert_to('what do ya want for nothing?', 'UTF8'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  ),
  (
    'a message of 50 bytes', decode(repeat('aa', 20), 'hex'), decode(repeat('dd', 50), 'hex'),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'
  ),
  (
    'a key longer than a block', decode(repeat('aa', 131), 'hex'),
    convert_to('Test Using Larger Than Block-Size Key - Hash Key First', 'UTF8'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'
  )
) as c (name, key, message, hash);

select * from finish();
rollback;
