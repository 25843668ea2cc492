begin;
select plan(6);

create table test.trimmed as
select chr(n) as character, n
from generate_series(1, 65535) as n
where
  n in (9, 10, 13, 32, 160, 173, 1564, 5760, 6158, 8232, 8233, 8239, 8287, 12288, 65279)
  or n between 8192 and 8207
  or n between 8234 and 8238
  or n between 8288 and 8303;

select is_empty(
  $$
    select t.n
    from test.trimmed as t
    where app.clean_text(t.character || 'a' || t.character || 'b' || t.character) <> 'a' || t.character || 'b'
  $$,
  'white space, U+200B to U+200F, U+202A to U+202E, U+2060 to U+206F and the like are removed at the ends, and kept inside'
);
select is_empty(
  $$
    select n
    from generate_series(1, 65535) as n
    where
      n not between 55296 and 57343
      and n not in (select t.n from test.trimmed as t)
      and app.clean_text(chr(n) || 'a' || chr(n)) <> chr(n) || 'a' || chr(n)
  $$,
  'no other character is removed'
);
select is(app.clean_text(string_agg(t.character, '')), '', 'a text of them becomes empty') from test.trimmed as t;
select is_empty(
  $$
    select n
    from unnest(array[847, 4447, 4448, 6068, 6069, 6155, 6159, 10240, 12644, 65024, 65039, 65440, 917505, 917631]) as n
    where app.clean_text(chr(n)) <> '' or app.clean_text(chr(n) || ' ' || chr(n)) <> ''
  $$,
  'a text without a visible character becomes empty: fillers, variation selectors, tags'
);
select is(app.clean_text(U&'\2764\FE0F'), U&'\2764\FE0F', 'an emoji keeps its variation selector');
select is(app.clean_text(null), null, 'null for null');

select * from finish();
rollback;
