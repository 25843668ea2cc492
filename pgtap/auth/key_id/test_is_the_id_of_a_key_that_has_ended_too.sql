begin;
select plan(3);

select act_as('alice', 'admin');
select is((api.rotate_key(key_id('alice', 'admin'), '{"overlap_hours": 0}')).status, 201, 'a key rotates itself');
reset session authorization;
select is(auth.key_id(), key_id('alice', 'admin'), 'the key that the request has proven');
select is(auth.organization_id('read'), null, 'which gives no rights any more');

select * from finish();
rollback;
