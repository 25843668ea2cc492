begin;
select plan(3);

select act_as('operator');
select admin.add_stage(organization('bob'), 'after_all');
select act_as('dba');
update app.pipeline_stage set position = 9 where organization_id = organization('bob') and name = 'contacted';

select act_as('bob', 'read');
select keep('organization', api.get_organization());
select is(
  array(select json_object_keys((kept('organization')).body::json)),
  array['id', 'name', 'environment', 'pipeline_stages', 'created_at'],
  'the fields in their order'
);
select is(
  (kept('organization')).body::jsonb - 'created_at',
  jsonb_build_object(
    'id', organization('bob'),
    'name', 'The organization of bob',
    'environment', 'test',
    'pipeline_stages', jsonb '["new", "qualified", "proposal", "won", "lost", "after_all", "contacted"]'
  ),
  'bob''s organization'
);
select act_as('stranger');
select is(api.get_organization(), null, 'without a key');

select * from finish();
rollback;
