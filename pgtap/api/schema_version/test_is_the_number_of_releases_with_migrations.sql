begin;
select plan(1);

select is(
  api.schema_version(), (select count(distinct split_part(m.migration_id, '-', 1))::integer from yoyo._yoyo_migration as m),
  'the releases in yoyo''s tables'
);

select * from finish();
rollback;
