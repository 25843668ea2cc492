begin;
select plan(1);

create function test.is_accepted(value text)
returns boolean
language sql
as $$
  select app.clean_text(value) <> '' and app.control_character(app.clean_text(value)) is null
$$;

select is_empty(
  $$
    select n, form.pattern
    from generate_series(1, 65535) as n
    cross join (values ('%s'), ('%sa'), ('a%sa')) as form (pattern)
    cross join lateral (select format(form.pattern, chr(n)) as text) as t
    where (n < 12800 or n > 63743) and test.is_accepted(t.text) <> (t.text collate "C" ~ app.text_pattern())
  $$,
  'for each character that is not Chinese or Korean: alone, at the end and inside'
);

select * from finish();
rollback;
