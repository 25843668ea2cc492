begin;
select plan(3);

select results_eq(
  $$select r.kind, count(*) from auth.roles() as r group by r.kind order by r.kind collate "C"$$,
  $$values ('group', 1::bigint), ('login', 4), ('owner', 5), ('sealed', 2)$$,
  'the kinds of roles'
);
select is_empty(
  $$select r.name from auth.roles() as r where (r.definer_schemas is null) = (r.kind in ('owner', 'sealed'))$$,
  'only roles of the kinds owner and sealed own functions'
);
select is_empty(
  $$select s.name from auth.roles() as r, unnest(r.definer_schemas) as s (name) where to_regnamespace(s.name) is null$$,
  'each schema exists'
);

select * from finish();
rollback;
