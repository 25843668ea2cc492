begin;
select plan(3);

select is(
  array(
    select n from generate_series(1, 65535) as n
    where n not between 55296 and 57343 and app.control_character('a' || chr(n) || 'b') = chr(n)
  ),
  array(
    select n from generate_series(1, 159) as n
    where (n < 32 or n > 126) and n not in (9, 10, 13)
  ),
  'C0, DEL and C1, except tab, line feed and carriage return'
);
select is(app.control_character(E'a\tb\u001B\u0001'), U&'\001B', 'the first one');
select is(app.control_character('a'), null, 'null if there is none');

select * from finish();
rollback;
