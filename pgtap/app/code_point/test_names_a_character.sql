begin;
select plan(4);

select is(app.code_point(c.value), c.expected, c.expected)
from (values (U&'\0001', 'U+0001'), (U&'\200B', 'U+200B'), (U&'\+01F600', 'U+1F600'), (null, null)) as c (value, expected);

select * from finish();
rollback;
