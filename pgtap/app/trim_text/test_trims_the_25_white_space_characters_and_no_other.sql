begin;
select plan(4);

create table test.white_space as
select chr(n) as character, n
from generate_series(1, 65535) as n
where
  n in (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8232, 8233, 8239, 8287, 12288)
  or n between 8192 and 8202;

select is((select count(*) from test.white_space), 25::bigint, 'Unicode''s property White_Space');
select is_empty(
  $$
    select w.n
    from test.white_space as w
    where app.trim_text(w.character || 'a' || w.character || 'b' || w.character) <> 'a' || w.character || 'b'
  $$,
  'each is removed at the ends and kept inside'
);
select is_empty(
  $$
    select n
    from generate_series(1, 65535) as n
    where
      n not between 55296 and 57343
      and n not in (select w.n from test.white_space as w)
      and app.trim_text(chr(n) || 'a' || chr(n)) <> chr(n) || 'a' || chr(n)
  $$,
  'no other character is removed, such as U+200B or U+FEFF'
);
select is(
  app.trim_text((select string_agg(w.character, '') from test.white_space as w)), '',
  'a text of white space becomes empty'
);

select * from finish();
rollback;
