begin;
select plan(3);

select act_as('operator');
select is(
  (select array_agg(distinct r.organization_id) from admin.routed_credentials(null, 1) as r),
  array(select o.id from admin.organizations() as o order by o.id limit 1),
  'the first part'
);
select is(
  (
    select array_agg(distinct r.organization_id)
    from admin.routed_credentials((select min(o.id::text)::uuid from admin.organizations() as o), 1) as r
  ),
  array(select o.id from admin.organizations() as o order by o.id offset 1 limit 1),
  'the next part'
);
select set_config('test.organization', admin.create_organization('A new one', 'test')::text, true);
select results_eq(
  $$
    select r.key_id, r.digest
    from admin.routed_credentials(null, null, array[current_setting('test.organization')::uuid]) as r
  $$,
  $$values (null::uuid, null::text)$$,
  'an organization without a key has one row'
);

select * from finish();
rollback;
